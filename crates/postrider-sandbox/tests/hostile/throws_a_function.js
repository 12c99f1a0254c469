// expect: Thrown
function handler(input) {
  throw () => 1;
}
