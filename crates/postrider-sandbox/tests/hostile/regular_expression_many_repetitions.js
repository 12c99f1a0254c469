// expect: Timeout | OutOfMemory | Thrown
function handler(input) {
  return new RegExp('(?:a{1000}){1000}'.repeat(50)).test('a'.repeat(1e6));
}
