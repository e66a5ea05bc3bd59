/**
 * Suffixes that unrelated sites share: content networks, clouds, hosting, embedded services. Listing one
 * whole would carry strangers' traffic through a relay, so a catalog may list single names below them only
 * (`exact`).
 */
const CARRIERS = `
  akamai.net akamai.com akamaized.net akamaized-staging.net akamaiedge.net akamaiedge-staging.net akamaihd.net
  akamaihd-staging.net akamaistream.net akamaitech.net akamaitechnologies.com akadns.net akam.net
  akamaientrypoint.net akamaiorigin.net akamaiorigin-staging.net akagtm.org edgesuite.net edgesuite-staging.net
  edgekey.net edgekey-staging.net srip.net
  amazonaws.com amazonaws.com.cn amazonaws-china.com aws.dev awsdns.com awsglobalaccelerator.com awsstatic.com
  cloudfront.net cloudfront.cn elasticbeanstalk.com on.aws api.aws awsapps.com amazoncognito.com awswaf.com
  amazontrust.com ssl-images-amazon.com media-amazon.com images-amazon.com amplifyapp.com
  fastly.net fastlylb.net fastly.com fastly-edge.com fastly-terrarium.com fastly.dev edgecompute.app
  cloudflare.net cloudflare.com cloudflare-dns.com cloudflarestream.com cloudflareinsights.com cloudflaressl.com
  cloudflare-ipfs.com workers.dev pages.dev videodelivery.net imagedelivery.net r2.dev cdnjs.com
  azureedge.net azurefd.net azure.com azure.net azurewebsites.net windows.net trafficmanager.net msecnd.net
  cloudapp.net azure-api.net azurestaticapps.net msedge.net a-msedge.net s-msedge.net t-msedge.net aspnetcdn.com
  visualstudio.com sharepoint.com office.net microsoftonline.com
  googleapis.com gstatic.com googleusercontent.com googlesyndication.com doubleclick.net google-analytics.com
  googletagmanager.com googlehosted.com appspot.com cloudfunctions.net run.app web.app firebaseapp.com
  firebaseio.com gvt1.com gvt2.com l.google.com withgoogle.com blogspot.com crashlytics.com app-measurement.com
  googleadservices.com 1e100.net
  footprint.net lldns.net llnw.net llnwd.net llnwi.net limelight.com edgio.net edgio.link edgecastcdn.net
  edgecastdns.net edgecast.com systemcdn.net v0cdn.net v1cdn.net v2cdn.net v3cdn.net v4cdn.net v5cdn.net
  transactcdn.com transactcdn.net alphacdn.net betacdn.net gammacdn.net deltacdn.net edgecastcdn.com
  hwcdn.net stackpathcdn.com stackpathdns.com stackpath.net netdna-cdn.com netdna-ssl.com bootstrapcdn.com
  cdn77.org cdn77.com cdn77-ssl.net cdnetworks.com cdngc.net gccdn.net gccdn.cn
  cdngl.net cdngs.net panthercdn.com speedcdns.com quantil.com wscdns.com wscloudcdn.com chinanetcenter.com
  lxdns.com wsdvs.com wswebcdn.com wswebpic.com
  b-cdn.net bunnycdn.com bunny.net bunnyinfra.net mediadelivery.net gcdn.co gcore.com gcdn.top gcorelabs.net
  keycdn.com kxcdn.com cachefly.net cachefly.com swiftcdn.com swiftserve.com belugacdn.com belugacdn.link
  incapdns.net impervadns.net imperva.com sucuri.net sucuridns.com cdnvideo.ru worldcdn.net
  medianova.com mncdn.com mncdn.net onapp.com ngenix.net insnw.net instart.co
  yottaa.net section.io zenedge.net netlify.app netlify.com vercel.app vercel.com vercel-dns.com
  herokuapp.com herokudns.com heroku.com fly.dev onrender.com render.com github.io githubusercontent.com gitlab.io
  digitaloceanspaces.com ondigitalocean.app linodeobjects.com linodeusercontent.com vultrobjects.com
  backblazeb2.com wasabisys.com ovh.net ovhcloud.com scw.cloud hetzner.com your-objectstorage.com
  oraclecloud.com oraclecloudapps.com customer-oci.com bluemix.net appdomain.cloud softlayer.net softlayer.com
  rackcdn.com rackspacecloud.com myqcloud.com tencent-cloud.net qcloud.com qcloudcdn.com tencentcs.com
  cdntip.com dnsv1.com tdnsv5.com tcdn.qq.com aliyuncs.com alicdn.com alikunlun.com alikunlun.net kunlunsl.com
  kunlunca.com kunluncan.com kunlunar.com kunlungr.com tbcache.com alibabadns.com aliyun.com
  hwclouds-dns.com hwcloudcdn.com myhuaweicloud.com huaweicloud.com cdnhwc1.com cdnhwc2.com cdnhwc3.com
  bcebos.com bdydns.com qiniucdn.com qiniudns.com qbox.me clouddn.com upaiyun.com upcdn.net aicdn.com
  ksyuncdn.com ksyuncs.com volccdn.com bytecdn.cn bytedns.net byteoversea.net ntruss.com gscdn.com
   hinet.net cdn.nhncdn.com navercdn.com toastcdn.net idcfcloud.com sakura.ne.jp
  brightcove.com brightcove.net brightcovecdn.com bcovlive.io boltdns.net bcvp0rtal.com uplynk.com
  theplatform.com theplatform.eu jwplayer.com jwpcdn.com jwpltx.com jwpsrv.com jwpsys.com jwplatform.com
  longtailvideo.com kaltura.com kaltura.org ooyala.com bitmovin.com bitmovin.net conviva.com
  mux.com streamrail.com freewheel.tv fwmrm.net
  uliza.jp streaks.jp irdeto.com syncbak.com mp-pxcdn.com bn5x.net
  ezdrm.com drmtoday.com castlabs.com axinom.com axprod.net nagra.com verimatrixcloud.net vualto.com
  buydrm.com licensekeyserver.com vidalytics.com vzaar.com wistia.com wistia.net zype.com
  accedo.tv dotmetrics.net imrworldwide.com scorecardresearch.com
  omtrdc.net 2o7.net demdex.net adobedtm.com adobe.com adobe.io everesttech.net
  sc-static.net facebook.net fbcdn.net twimg.com branch.io app.link bnc.lt onelink.me
  appsflyer.com appsflyersdk.com adjust.com adjust.io kochava.com braze.com braze.eu appboy.com
  segment.com segment.io mixpanel.com amplitude.com newrelic.com nr-data.net datadoghq.com sentry.io sentry-cdn.com
  bugsnag.com optimizely.com launchdarkly.com split.io conductrics.com tealiumiq.com
  tiqcdn.com onetrust.com cookielaw.org cookiebot.com trustarc.com usercentrics.eu sourcepoint.com privacy-mgmt.com
  qualtrics.com medallia.com zendesk.com zdassets.com freshdesk.com salesforce.com force.com my.site.com
  statuspage.io okta.com auth0.com oktacdn.com gigya.com janrain.com janraincapture.com evergage.com
  recurly.com stripe.com stripe.network paypal.com paypalobjects.com braintreegateway.com adyen.com chargebee.com
  typekit.net typekit.com fonts.net myfonts.net jsdelivr.net unpkg.com shopify.com myshopify.com
  wordpress.com wp.com wpengine.com wpenginepowered.com squarespace.com wixsite.com imgix.net cloudinary.com
    a2z.com
`;

/** General-purpose sites that a streaming service may be part of: never listed whole. */
const PORTALS = `
  amazon.com amazon.ca amazon.co.uk amazon.de amazon.fr amazon.it amazon.es amazon.nl amazon.se amazon.pl amazon.in
  amazon.co.jp amazon.com.au amazon.com.br amazon.com.mx amazon.com.tr amazon.sg amazon.ae amazon.sa amazon.eg
  google.com apple.com icloud.com itunes.com mzstatic.com applemusic.com itunes.apple.com aaplimg.com apple-dns.net
  microsoft.com live.com bing.com office.com xbox.com facebook.com instagram.com twitter.com x.com
  yahoo.com yahoo.co.jp yahoodns.net naver.com kakao.com daum.net rakuten.co.jp rakuten.com
  github.com wikipedia.org go.com comcast.net orange.fr free.fr web.de gmx.de gmx.net t-online.de

`;

function words(text: string): ReadonlySet<string> {
  return new Set(text.trim().split(/\s+/));
}

/** A catalog suffix may not be one of these, or below one. */
export const CARRIER_SUFFIXES = words(CARRIERS);

/** May not be in the catalog themselves; names below them may. */
export const PORTAL_NAMES = words(PORTALS);
