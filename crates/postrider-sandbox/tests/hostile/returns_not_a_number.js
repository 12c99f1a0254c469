// expect: returns [null,null]
function handler(input) {
  return [NaN, Infinity];
}
