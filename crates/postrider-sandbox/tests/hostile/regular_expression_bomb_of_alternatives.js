// expect: Timeout
function handler(input) {
  return /^(a|a|a?)*$/.test('a'.repeat(60) + 'b');
}
