// expect: Thrown
async function handler() {
  return (await import('std')).loadFile('/etc/passwd');
}
