// expect: NotJson
function handler(input) {
  input.input = input;
  return input;
}
