// expect: Thrown | OutOfMemory
function handler(input) {
  return ''.padEnd(2 ** 30, 'ab');
}
