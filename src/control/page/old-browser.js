// Only browsers without modules run this.
var note = document.getElementById('old-browser');
if (note) note.removeAttribute('hidden');
