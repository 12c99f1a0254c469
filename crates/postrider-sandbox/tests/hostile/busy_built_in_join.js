// expect: Timeout | OutOfMemory
function handler(input) {
  return new Array(1e9) + '';
}
