// Runs only in browsers without modules.
var note = document.getElementById('old-browser');
if (note) note.removeAttribute('hidden');
