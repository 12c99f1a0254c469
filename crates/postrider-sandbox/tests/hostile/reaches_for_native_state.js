// expect: returns ["length"] | returns []
function handler(input) {
  return Object.getOwnPropertyNames(console.log);
}
