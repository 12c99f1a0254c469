// expect: OutOfMemory | Thrown
function handler(input) {
  return new ArrayBuffer(2 ** 31).byteLength;
}
