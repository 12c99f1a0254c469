// expect: Thrown
function handler(input) {
  return process.env;
}
