// expect: NotJson
function handler(input) {
  return Symbol('a');
}
