// expect: Thrown
function handler(input) {
  return load('/etc/passwd');
}
