// expect: NotJson
function handler(input) {
  return { toJSON() {} };
}
