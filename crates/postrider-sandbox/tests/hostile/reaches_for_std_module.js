// expect: Thrown
function handler(input) {
  return std.loadFile('/etc/passwd');
}
