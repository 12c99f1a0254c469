// expect: Thrown
function handler(input) {
  return require('fs').readFileSync('/etc/passwd', 'utf8');
}
