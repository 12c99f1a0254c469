// expect: returns "undefined"
function handler(input) {
  return this.constructor.constructor('return typeof process')();
}
