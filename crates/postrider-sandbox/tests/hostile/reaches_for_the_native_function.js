// expect: Thrown
function handler(input) {
  return console.log.constructor('return process')();
}
