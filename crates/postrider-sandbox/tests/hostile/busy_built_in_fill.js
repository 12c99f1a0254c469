// expect: Timeout | OutOfMemory
function handler(input) {
  return new Array(4e9).fill(1);
}
