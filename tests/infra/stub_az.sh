# What Azure answers; each variable changes one answer.
case "$*" in
  "account show --query name"*) [ -z "${NOT_SIGNED_IN:-}" ] && echo Contoso ;;
  "account show --query tenantId"*) [ -z "${NOT_SIGNED_IN:-}" ] && echo tenant-1 ;;
  "group show"*location*) echo "${GROUP_LOCATION-westeurope}" | grep . ;;
  "group show"*id*) echo /subscriptions/1/resourceGroups/rg ;;
  "functionapp list-flexconsumption-locations"*) printf 'westeurope\nswedencentral\n' ;;
  "provider show"*) echo "${PROVIDER:-Registered}" ;;
  "ad signed-in-user show"*) echo person-1 ;;
  "keyvault list-deleted"*) printf '%s' "${DELETED_VAULT:-}" ;;
  "cloud show"*microsoftGraph*) echo https://graph.microsoft.com/ ;;
  "cloud show"*activeDirectory*) echo https://login.microsoftonline.com ;;
  "deployment group what-if"*) echo "Resource changes: 3 to create"; exit "${WHAT_IF:-0}" ;;
  *ticket-engine-entra*) [ -z "${NO_GRAPH:-}" ] && printf 'mail-1\nconsole-1\n' ;;
  "deployment group create"*) exit "${DEPLOY:-0}" ;;
  "deployment group show"*)
    [ -z "${NOT_DEPLOYED:-}" ] || exit 3
    case "$*" in
      *functionAppName*) echo func-1 ;;
      *siteUrl*) echo https://func-1.azurewebsites.net ;;
      *deploymentName*) echo ticket-engine ;;
      *consoleClientId*) echo "${CONSOLE:-}" ;;
      *consoleRedirectUri*) echo https://func-1.azurewebsites.net/.auth/login/aad/callback ;;
      *redirectUri*) echo https://func-1.azurewebsites.net/api/oauth/callback ;;
      *appPrincipalId*) echo app-principal ;;
      *signInPrincipalId*) echo sign-in-principal ;;
      *) echo https://value.example ;;
    esac
    ;;
  "functionapp function list"*)
    # FUNCTIONS_SEEN_AFTER publications, or at once.
    published=$(tr '\036' '\n' <"$CALLS" | grep -c 'func.azure.functionapp.publish' || true)
    if [ "$published" -ge "${FUNCTIONS_SEEN_AFTER:-0}" ]; then
      grep -h -A9 '^@bp\.' */__init__.py */*.py | grep -oE '^def [a-z_]+' | sed 's#def #func-1/#' | sort -u
    fi
    ;;
  "rest --method get"*appRoleAssignedTo*) printf '%s' "${ASSIGNED:-}" ;;
  "rest --method get"*"-mail')"*) echo mail-1 ;;
  "rest --method get"*"-console')"*) printf '%s\n' "${CONSOLE_REGISTRATION:-console-1}" | grep . ;;
  "rest --method get"*) echo object-1 ;;
  "rest --method p"*) exit "${GRAPH_REFUSES:-0}" ;;
  "provider register"*) exit "${REGISTER:-0}" ;;
esac
