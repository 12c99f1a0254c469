// expect: StackOverflow | Thrown | returns true | returns false | OutOfMemory
function handler(input) {
  return /(?:(?=a)|b)*(x|(y|z)*)*/.test('ab'.repeat(100000));
}
