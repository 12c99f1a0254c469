// expect: Timeout | Thrown
function handler(input) {
  const array = new Int32Array(new SharedArrayBuffer(4));
  Atomics.wait(array, 0, 0);
  return 1;
}
