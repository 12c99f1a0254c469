// expect: Thrown | OutOfMemory | StackOverflow | Timeout
function handler(input) {
  return new RegExp('('.repeat(1e6) + ')'.repeat(1e6)).test('a');
}
