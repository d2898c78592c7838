// The tokens of providers that agents use, each by its prefix. What surrounds one does not matter: a token that is
// joined to a word is as valid as any other.

/** How a token goes on behind its beginning. */
export interface TokenShape {
  kind: string;
  /** Literal beginnings. */
  starts: readonly string[];
  /** The rest, at least. */
  rest: RegExp;
  /**
   * The prefix is also the end of an ordinary word ("task-", "risk_"): right after a letter or digit the rest has to
   * look random.
   */
  isWeak?: true;
}

const token = (kind: string, starts: string | readonly string[], rest: string): TokenShape => ({
  kind,
  starts: [starts].flat(),
  // Bounded, so that a text full of prefixes costs no more than its length.
  rest: new RegExp(rest.replace(/\{(\d+),\}/g, "{$1,1024}").replaceAll("]*\\d", "]{0,200}\\d"), "y"),
});
const weak = (kind: string, starts: string | readonly string[], rest: string): TokenShape => ({
  ...token(kind, starts, rest),
  isWeak: true,
});

const ALNUM = "[A-Za-z0-9]";
const URLSAFE = "[\\w-]";
const HEX = "[0-9A-Fa-f]";
const BASE64 = "[A-Za-z0-9+/]";
const UUID = `${HEX}{8}-(?:${HEX}{4}-){3}${HEX}{12}`;
/** Somewhere ahead in the token. */
const withDigit = "(?=[A-Za-z_-]*\\d)";

const MODELS: readonly TokenShape[] = [
  token("ANTHROPIC_API_KEY", "sk-ant-", `${URLSAFE}{20,}`),
  token("OPENAI_TOKEN", ["sk-proj-", "sk-svcacct-", "sk-admin-"], `${URLSAFE}{32,}`),
  token("OPENROUTER_API_KEY", "sk-or-v1-", `${HEX}{32,}`),
  token("LANGFUSE_SECRET_KEY", "sk-lf-", UUID),
  // "sk-learn-based-model-2" is none: somewhere it has a long run of letters and digits.
  weak("API_KEY", "sk-", `(?:[a-z]{1,16}-){0,4}(?=[a-zA-Z_]*\\d)\\w{20,}`),
  token("GOOGLE_API_KEY", "AIza", `${URLSAFE}{35}`),
  token("GOOGLE_API_KEY", "AQ.Ab", `${URLSAFE}{35,}`),
  weak("XAI_API_KEY", "xai-", `${ALNUM}{48,}`),
  weak("GROQ_API_KEY", "gsk_", `${ALNUM}{40,}`),
  weak("PERPLEXITY_API_KEY", "pplx-", `${ALNUM}{32,}`),
  weak("HUGGINGFACE_USER_ACCESS_TOKEN", "hf_", `${ALNUM}{34,}`),
  token("HUGGINGFACE_ORGANIZATION_TOKEN", "api_org_", `${ALNUM}{34,}`),
  weak("REPLICATE_API_TOKEN", "r8_", `${ALNUM}{36,}`),
  token("TOGETHER_API_KEY", "tgp_v1_", `${URLSAFE}{32,}`),
  weak("FIREWORKS_API_KEY", "fw_", `${withDigit}${ALNUM}{22,}`),
  token("NVIDIA_API_KEY", "nvapi-", `${URLSAFE}{50,}`),
  weak("CEREBRAS_API_KEY", "csk-", `${withDigit}${ALNUM}{40,}`),
  weak("VOYAGE_API_KEY", ["pa-", "al-"], `${withDigit}\\w{43}`),
  token("LANGSMITH_API_KEY", ["lsv2_pt_", "lsv2_sk_"], `${HEX}{32}`),
  weak("API_KEY", "sk_", `${HEX}{48}`),
  token("PINECONE_API_KEY", "pcsk_", `\\w{40,}`),
  weak("TAVILY_API_KEY", "tvly-", `${withDigit}${URLSAFE}{20,}`),
  weak("FIRECRAWL_API_KEY", "fc-", `${HEX}{32}`),
  weak("JINA_API_KEY", "jina_", `${URLSAFE}{40,}`),
  token("E2B_API_KEY", "e2b_", `${HEX}{40}`),
  token("DATABRICKS_TOKEN", "dapi", `${HEX}{32}`),
  token("WANDB_API_KEY", "wandb_v1_", `${URLSAFE}{32,}`),
  token("BROWSERBASE_API_KEY", "bb_live_", `${URLSAFE}{20,}`),
];

const CLOUDS: readonly TokenShape[] = [
  token("AWSAccessKeyID", ["AKIA", "ASIA", "ABIA", "ACCA"], `(?=[A-Z]{0,15}[2-7])[A-Z2-7]{16}`),
  token("AWS_SESSION_TOKEN", "IQoJb3JpZ2lu", `${BASE64}{40,}`),
  token("AWS_BEDROCK_API_KEY", ["ABSKQmVkcm9ja", "bedrock-api-key-"], `${BASE64}{40,}`),
  token("GOOGLE_OAUTH_CLIENT_SECRET", "GOCSPX-", `${URLSAFE}{24,}`),
  token("GOOGLE_OAUTH_TOKEN", "ya29.", `${URLSAFE}{30,}`),
  weak("GOOGLE_REFRESH_TOKEN", "1//0", `${URLSAFE}{40,}`),
  token("ALIBABA_ACCESS_KEY_ID", "LTAI", `(?=[A-Za-z]*\\d)${ALNUM}{16,}`),
  token("TENCENT_SECRET_ID", "AKID", `(?=[A-Za-z]*\\d)${ALNUM}{32}`),
  token("YANDEX_API_KEY", "AQVN", `${URLSAFE}{35,}`),
  token("DIGITALOCEAN_TOKEN", ["dop_v1_", "doo_v1_", "dor_v1_"], `${HEX}{64}`),
  token("CLOUDFLARE_TOKEN", ["cfut_", "cfat_"], `${ALNUM}{40,}`),
  weak("CLOUDFLARE_TOKEN", "cfk_", `${ALNUM}{40,}`),
  token("CLOUDFLARE_ORIGIN_CA_KEY", "v1.0-", `${HEX}{24}-${HEX}{140,}`),
  weak("VERCEL_TOKEN", ["vcp_", "vci_", "vca_", "vcr_", "vck_"], `${withDigit}${ALNUM}{20,}`),
  token("VERCEL_BLOB_TOKEN", "vercel_blob_rw_", `${ALNUM}{8,}_${ALNUM}{20,}`),
  weak("POSTHOG_PERSONAL_KEY", "phx_", `${withDigit}${ALNUM}{36,}`),
  token("NETLIFY_TOKEN", "nfp_", `${ALNUM}{36,}`),
  token("HEROKU_API_KEY", "HRKU-", `${URLSAFE}{30,}`),
  token("FLY_TOKEN", ["FlyV1 fm", "fm1r_", "fm2_", "fo1_"], `[\\w+/=,-]{40,}`),
  weak("RENDER_API_KEY", "rnd_", `${withDigit}${ALNUM}{28,}`),
  token("DOPPLER_TOKEN", ["dp.pt.", "dp.st.", "dp.ct.", "dp.sa.", "dp.scim.", "dp.audit."], `[\\w.-]{40,}`),
  token("HASHICORP_VAULT_TOKEN", ["hvs.", "hvb.", "hvr."], `${withDigit}${URLSAFE}{24,}`),
  token("TERRAFORM_TOKEN", ".atlasv1.", `[\\w=-]{60,}`),
  token("PULUMI_TOKEN", "pul-", `${HEX}{40}`),
  token("TAILSCALE_KEY", "tskey-", `[a-z]{2,20}-\\w{8,40}-\\w{16,}`),
  token("SUPABASE_SECRET_KEY", "sb_secret_", `${URLSAFE}{8,}`),
  token("SUPABASE_ACCESS_TOKEN", ["sbp_", "sbp_v0_"], `${HEX}{40}`),
  token("PLANETSCALE_TOKEN", ["pscale_tkn_", "pscale_pw_", "pscale_oauth_"], `[\\w=.-]{32,}`),
  token("NEON_API_KEY", "napi_", `[a-z0-9]{48,}`),
  weak("NEON_PASSWORD", "npg_", `${withDigit}${ALNUM}{12,}`),
  token("MONGODB_ATLAS_SECRET", "mdb_sa_sk_", `${URLSAFE}{30,}`),
  token("ONEPASSWORD_SERVICE_TOKEN", "ops_eyJ", `${BASE64}{80,}`),
  token("SENTRY_TOKEN", ["sntrys_eyJ", "sntryu_"], `[\\w+/=]{48,}`),
  token("NEW_RELIC_KEY", ["NRAK-", "NRII-", "NRAL-"], `${URLSAFE}{27,}`),
  token("GRAFANA_TOKEN", "glsa_", `${ALNUM}{32}_${HEX}{8}`),
  token("GRAFANA_TOKEN", "glc_", `${BASE64}{32,}`),
  token("DYNATRACE_TOKEN", ["dt0c01.", "dt0s16."], `[A-Z0-9]{24}\\.[A-Z0-9]{64}`),
];

const CHAT_AND_OFFICE: readonly TokenShape[] = [
  token(
    "SLACK_TOKEN",
    ["xoxa-", "xoxb-", "xoxe-", "xoxo-", "xoxp-", "xoxr-", "xoxs-", "xoxe.xox", "xapp-", "xwfp-"],
    `(?=[A-Za-z-]*\\d)[\\w.-]{20,}`,
  ),
  token("SLACK_COOKIE", "xoxd-", `[\\w%+/=-]{20,}`),
  token("META_ACCESS_TOKEN", ["EAA", "IGAA", "IGQV"], `(?=[A-Za-z]*\\d)${ALNUM}{60,}`),
  token("TWITTER_BEARER_TOKEN", "AAAAAAAAAAAAAAAAAAAAA", `[\\w%]{40,}`),
  weak("SENDGRID_KEY", "SG.", `${URLSAFE}{16,32}\\.${URLSAFE}{32,64}`),
  weak("MAILGUN_KEY", "key-", `${HEX}{32}`),
  token("BREVO_KEY", ["xkeysib-", "xsmtpsib-"], `${HEX}{64}-${ALNUM}{16}`),
  weak("RESEND_API_KEY", "re_", `(?=${ALNUM}*\\d)${ALNUM}{8}_${ALNUM}{20,}`),
  weak("TWILIO_API_KEY", "SK", `${HEX}{32}(?!${HEX})`),
  token("NOTION_TOKEN", "ntn_", `${ALNUM}{40,}`),
  token("LINEAR_TOKEN", ["lin_api_", "lin_oauth_"], `\\w{32,}`),
  weak("AIRTABLE_TOKEN", "pat", `${ALNUM}{14}\\.${HEX}{64}`),
  token("FIGMA_TOKEN", "figd_", `${URLSAFE}{36,}`),
  token("ATLASSIAN_TOKEN", ["ATATT3x", "ATCTT3x", "ATSTT3x"], `[\\w=-]{50,}`),
  token("BITBUCKET_APP_PASSWORD", "ATBB", `(?=[A-Za-z]*\\d)${ALNUM}{28,}`),
  token("POSTMAN_API_KEY", "PMAK-", `${HEX}{24}-${HEX}{34}`),
  weak("HUBSPOT_TOKEN", ["pat-na", "pat-eu"], `\\d-${UUID}`),
];

const CODE_AND_PACKAGES: readonly TokenShape[] = [
  token("GITHUB_TOKEN", ["ghp_", "gho_", "ghu_", "ghs_", "ghr_"], `[A-Za-z0-9_]{36,}`),
  token("GITHUB_TOKEN", "github_pat_", `\\w{40,}`),
  token(
    "GITLAB_PERSONAL_ACCESS_TOKEN",
    [
      ...["glpat-", "gloas-", "gldt-", "glrt-", "glcbt-", "glptt-", "glft-", "glimt-", "glagent-", "glsoat-"],
      ...["glffct-", "glwt-"],
    ],
    `[\\w.-]{20,}`,
  ),
  token("GITLAB_RUNNER_TOKEN", "GR1348941", `${URLSAFE}{20,}`),
  token("NPM_ACCESS_TOKEN", "npm_", `${ALNUM}{36,}`),
  token("PYPI_TOKEN", ["pypi-AgEI", "pypi-AgEN"], `${URLSAFE}{40,}`),
  token("RUBYGEMS_API_KEY", "rubygems_", `${HEX}{48}`),
  weak("CRATES_IO_TOKEN", "cio", `(?=[A-Za-z]*\\d)${ALNUM}{32}`),
  weak("NUGET_API_KEY", "oy2", `[a-z0-9]{43}`),
  token("DOCKER_TOKEN", ["dckr_pat_", "dckr_oat_"], `${URLSAFE}{27,}`),
  token("JFROG_TOKEN", ["AKCp", "cmVmdGtuOj"], `${URLSAFE}{40,}`),
  token("CLOJARS_TOKEN", "CLOJARS_", `${ALNUM}{60}`),
  token("CIRCLECI_TOKEN", ["CCIPAT_", "CCIPRJ_"], `\\w{40,}`),
  token("BUILDKITE_TOKEN", "bkua_", `${HEX}{40}`),
];

const PAYMENT: readonly TokenShape[] = [
  token("STRIPE_SECRET_KEY", ["sk_live_", "sk_test_", "rk_live_", "rk_test_", "sk_org_"], `\\w{20,}`),
  token("WEBHOOK_SECRET", "whsec_", `[\\w+/=]{24,}`),
  token("SQUARE_TOKEN", ["sq0csp-", "sq0atp-", "EAAA"], `${withDigit}${URLSAFE}{22,}`),
  token("PAYPAL_TOKEN", ["access_token$production$", "access_token$sandbox$"], `${ALNUM}{16}\\$${HEX}{32}`),
  weak("MOLLIE_API_KEY", ["live_", "test_"], `${withDigit}${ALNUM}{30}(?!\\w)`),
  token("PADDLE_API_KEY", ["pdl_live_apikey_", "pdl_sdbx_apikey_"], `\\w{26,}`),
  token("PLAID_TOKEN", ["access-production-", "access-sandbox-", "access-development-"], UUID),
  token("SHOPIFY_KEY", ["shpat_", "shpca_", "shppa_", "shpss_", "shptka_", "shpua_"], `${ALNUM}{32,}`),
  token("RAZORPAY_KEY", ["rzp_live_", "rzp_test_"], `${ALNUM}{14}`),
  token("FLUTTERWAVE_KEY", "FLWSECK", `[_-][\\w-]{20,}`),
  token("XENDIT_KEY", ["xnd_production_", "xnd_development_"], `${ALNUM}{40,}`),
  token("MERCADOPAGO_TOKEN", "APP_USR-", `\\d{10,}-\\d{6}-${HEX}{32}`),
  token("POLAR_TOKEN", "polar_oat_", `${ALNUM}{32,}`),
];

const KEYS: readonly TokenShape[] = [
  token("NEXUS_AGENT_KEY", "nxs_ak_", `${URLSAFE}{8,}`),
  token("AGE_SECRET_KEY", "AGE-SECRET-KEY-1", "[A-Za-z0-9]{50,}"),
  token("AGE_SECRET_KEY", "AGE-SECRET-KEY-PQ-1", "[A-Za-z0-9]{50,}"),
  token("AGE_PLUGIN_KEY", "AGE-PLUGIN-", "[A-Z0-9-]{1,40}-1[A-Z0-9]{6,}"),
  // The beginnings of private keys without the lines around them: OpenSSH, PKCS8 and PKCS1, in base64.
  token("PrivateKey", "b3BlbnNzaC1rZXktdjE", `${BASE64}{20,}`),
  token("PrivateKey", ["ADANBgkqhkiG9w0BAQEFAASC", "BgkqhkiG9w0BBQ0w"], `${BASE64}{20,}`),
  token("PrivateKey", ["MC4CAQAwBQYDK2Vw", "MC4CAQAwBQYDK2Vu"], `${BASE64}{20,}`),
  token("PrivateKey", ["AgEAMBMGByqGSM49", "AgEAMBAGByqGSM49"], `${BASE64}{20,}`),
  weak("PrivateKey", ["MIIE", "MIIJ", "MIIC", "MIIG"], `[A-Za-z0-9+/]{2}IBAAKC${BASE64}{20,}`),
  token("MINISIGN_SECRET_KEY", "RWRTY0Iy", `${BASE64}{60,}`),
  token("EXTENDED_PRIVATE_KEY", ["xprv", "tprv", "zprv", "yprv"], `[1-9A-HJ-NP-Za-km-z]{100,}`),
  token("NOSTR_SECRET_KEY", "nsec1", `[02-9ac-hj-np-z]{58}`),
];

export const TOKENS: readonly TokenShape[] = [
  ...MODELS,
  ...CLOUDS,
  ...CHAT_AND_OFFICE,
  ...CODE_AND_PACKAGES,
  ...PAYMENT,
  ...KEYS,
];
