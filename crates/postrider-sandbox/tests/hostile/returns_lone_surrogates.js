// expect: returns "\ufffd"
function handler(input) {
  return '\udc00';
}
