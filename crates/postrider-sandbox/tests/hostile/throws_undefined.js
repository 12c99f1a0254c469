// expect: Thrown
function handler(input) {
  throw undefined;
}
