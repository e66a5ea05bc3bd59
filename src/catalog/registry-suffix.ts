/**
 * Common second-level registries. Not the Public Suffix List (10,000 rules that age), only the mistakes made
 * when a name is cut one label too short.
 */
const UNDER_ANY_COUNTRY = new Set([
  'ac',
  'co',
  'com',
  'edu',
  'gob',
  'gouv',
  'gov',
  'govt',
  'mil',
  'net',
  'org',
]);

const OTHERS = new Set(
  `ltd.uk me.uk nhs.uk plc.uk police.uk sch.uk
   ad.jp ed.jp go.jp gr.jp lg.jp ne.jp or.jp
   go.kr ne.kr or.kr pe.kr re.kr
   asn.au id.au geek.nz gen.nz iwi.nz kiwi.nz maori.nz school.nz
   art.br blog.br eco.br gen.tr tv.tr web.tr k12.tr bel.tr tv.br
   firm.in gen.in ind.in nic.in res.in
   go.id or.id sch.id web.id my.id biz.id
   in.th go.th or.th mi.th idv.tw idv.hk game.tw ebiz.tw club.tw
   or.at gv.at asso.fr nom.fr prd.fr tm.fr web.za nom.za law.za
   k12.il muni.il idf.il nom.es nom.co firm.ro info.pl biz.pl waw.pl
   or.cr go.cr or.ke go.ke ne.ke or.tz go.tz or.ug go.ug or.mu
   uk.com us.com eu.com de.com gb.net uk.net se.net jp.net`
    .trim()
    .split(/\s+/),
);

/** True for a name under which strangers register, such as `co.uk`. */
export function isRegistrySuffix(name: string): boolean {
  if (OTHERS.has(name)) return true;
  const labels = name.split('.');
  if (labels.length !== 2) return false;
  const [second, top] = labels as [string, string];
  return top.length === 2 && UNDER_ANY_COUNTRY.has(second);
}
