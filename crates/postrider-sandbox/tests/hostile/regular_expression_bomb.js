// expect: Timeout
function handler(input) {
  return /^(a+)+$/.test('a'.repeat(40) + 'b');
}
