// expect: NotJson
function handler(input) {
  return undefined;
}
