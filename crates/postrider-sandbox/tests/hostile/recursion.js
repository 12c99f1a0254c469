// expect: StackOverflow
function handler(input) {
  return handler(input);
}
