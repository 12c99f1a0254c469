// expect: OutOfMemory | Thrown
function handler(input) {
  const buffer = new ArrayBuffer(1, { maxByteLength: 2 ** 31 });
  buffer.resize(2 ** 31);
  return buffer.byteLength;
}
