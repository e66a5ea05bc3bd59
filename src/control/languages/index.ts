export { chooseLanguage, LANGUAGES, type Language } from './language.ts';
export { compileMessages, type Messages, messageFiles, readMessages } from './messages.ts';
