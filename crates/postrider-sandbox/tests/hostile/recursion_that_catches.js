// expect: StackOverflow | Timeout | returns 1 | NotJson
function handler(input) {
  try {
    return handler(input);
  } catch {
    return handler(input);
  }
}
