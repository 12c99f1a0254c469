// expect: Thrown
function handler(input) {
  return scriptArgs;
}
