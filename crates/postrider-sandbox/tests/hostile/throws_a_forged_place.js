// expect: Thrown
function handler(input) {
  const error = new Error('a');
  error.stack = 'at script.js:99999999999999:-1\nat script.js:';
  throw error;
}
