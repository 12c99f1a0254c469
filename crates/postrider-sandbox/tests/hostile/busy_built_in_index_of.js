// expect: returns -1 | Timeout
function handler(input) {
  return new Array(4e9).indexOf(1);
}
