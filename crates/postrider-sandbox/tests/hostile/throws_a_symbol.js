// expect: Thrown
function handler(input) {
  throw Symbol('a');
}
