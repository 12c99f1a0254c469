// expect: OutOfMemory | Thrown
function handler(input) {
  return new SharedArrayBuffer(2 ** 31).byteLength;
}
