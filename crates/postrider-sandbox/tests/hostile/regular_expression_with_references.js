// expect: Timeout
function handler(input) {
  return /(.*)*\1\1\1b/.test('x'.repeat(5000));
}
