// Runs before the first paint so that no theme or language flashes in late, whether chosen or the
// system's. A file and not an inline script because the content security policy forbids those.
(function () {
  var query = new URLSearchParams(location.search);
  var stored = function (key) {
    try {
      return localStorage.getItem(key);
    } catch {
      return null;
    }
  };
  var theme = query.get('theme') || stored('goldentime.theme');
  if (theme !== 'dark' && theme !== 'light') {
    theme = window.matchMedia('(prefers-color-scheme: light)').matches ? 'light' : 'dark';
  }
  document.documentElement.dataset.theme = theme;
  var lang = query.get('lang') || stored('goldentime.lang') || navigator.language;
  document.documentElement.lang = lang.slice(0, 2) === 'ko' ? 'ko' : 'en';
})();
