// expect: StackOverflow | Thrown | OutOfMemory
function handler(input) {
  return eval('['.repeat(100000) + ']'.repeat(100000));
}
