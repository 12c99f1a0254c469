// expect: StackOverflow | Thrown | NotJson
function handler(input) {
  return JSON.parse('['.repeat(100000) + ']'.repeat(100000));
}
