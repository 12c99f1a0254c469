// expect: Thrown
function handler(input) {
  return new console.log(1);
}
