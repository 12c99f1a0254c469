// expect: Thrown | OutOfMemory
function handler(input) {
  return 'a'.repeat(2 ** 30);
}
