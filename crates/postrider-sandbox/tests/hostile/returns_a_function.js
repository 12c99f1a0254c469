// expect: NotJson
function handler(input) {
  return handler;
}
