// expect: Thrown
function handler(input) {
  return new Worker('a.js');
}
