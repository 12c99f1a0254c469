// expect: NotJson
function handler(input) {
  return { a: 1n };
}
