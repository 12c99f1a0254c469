// expect: returns null | Thrown | NotJson
function handler(input) {
  return handler.caller;
}
