// expect: Thrown
function handler(input) {
  return fetch('http://127.0.0.1/');
}
