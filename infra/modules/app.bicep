// The function app on Flex Consumption, and App Service authentication in front of the console.

import { appSubnet } from 'private-names.bicep'
import { settingsType, tagsType } from 'types.bicep'

param name string

@description('The end of the plan\'s name.')
param token string

param location string

param tags tagsType

param runtimeVersion string

param instanceMemoryMB 512 | 2048 | 4096

@minValue(1)
@maxValue(1000)
param maximumInstanceCount int

@description('The identity that does the app\'s work.')
param appIdentityName string

@description('The identity that proves the console to Microsoft Entra ID.')
param signInIdentityName string

@description('The container that holds the published package.')
param packageUrl string

param settings settingsType

@description('The network that outgoing traffic goes through; null without a private network.')
param networkName string?

@description('Whether the site is reached through that network only.')
param privateSite bool

@description('The console\'s app registration; empty leaves the console closed.')
param consoleClientId string

@description('The paths that need no sign-in.')
param anonymousPaths string[]

resource appIdentity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = {
  name: appIdentityName
}

resource signInIdentity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = {
  name: signInIdentityName
}

resource network 'Microsoft.Network/virtualNetworks@2025-05-01' existing = if (networkName != null) {
  name: networkName ?? 'none'

  resource subnet 'subnets' existing = {
    name: appSubnet
  }
}

resource plan 'Microsoft.Web/serverfarms@2025-03-01' = {
  name: 'asp-${token}'
  location: location
  tags: tags
  kind: 'functionapp'
  sku: {
    tier: 'FlexConsumption'
    name: 'FC1'
  }
  properties: {
    reserved: true
  }
}

resource site 'Microsoft.Web/sites@2025-03-01' = {
  name: name
  location: location
  // By this tag `azd deploy` finds the app.
  tags: union(tags, { 'azd-service-name': 'app' })
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${appIdentity.id}': {}
      '${signInIdentity.id}': {}
    }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    clientAffinityEnabled: false
    publicNetworkAccess: privateSite ? 'Disabled' : 'Enabled'
    virtualNetworkSubnetId: networkName == null ? null : network::subnet.id
    outboundVnetRouting: {
      allTraffic: networkName != null
    }
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: packageUrl
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: appIdentity.id
          }
        }
      }
      runtime: {
        name: 'python'
        version: runtimeVersion
      }
      scaleAndConcurrency: {
        instanceMemoryMB: instanceMemoryMB
        maximumInstanceCount: maximumInstanceCount
      }
    }
    siteConfig: {
      minTlsVersion: '1.2'
      scmMinTlsVersion: '1.2'
      http20Enabled: true
      appSettings: [
        for setting in items(settings): {
          name: setting.key
          value: setting.value
        }
      ]
    }
  }

  resource ftp 'basicPublishingCredentialsPolicies' = {
    name: 'ftp'
    properties: {
      allow: false
    }
  }

  resource scm 'basicPublishingCredentialsPolicies' = {
    name: 'scm'
    properties: {
      allow: false
    }
  }

  resource authentication 'config' = if (!empty(consoleClientId)) {
    name: 'authsettingsV2'
    properties: {
      platform: {
        enabled: true
        runtimeVersion: '~1'
      }
      globalValidation: {
        requireAuthentication: true
        unauthenticatedClientAction: 'RedirectToLoginPage'
        redirectToProvider: 'azureactivedirectory'
        excludedPaths: anonymousPaths
      }
      httpSettings: {
        requireHttps: true
      }
      identityProviders: {
        azureActiveDirectory: {
          enabled: true
          registration: {
            clientId: consoleClientId
            // Not a secret: with this name, the sign-in proves the console by the identity that the setting names.
            clientSecretSettingName: 'OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID'
            openIdIssuer: uri(environment().authentication.loginEndpoint, '${tenant().tenantId}/v2.0')
          }
          validation: {
            allowedAudiences: [
              consoleClientId
            ]
          }
        }
      }
      login: {
        cookieExpiration: {
          convention: 'FixedTime'
          timeToExpiration: '08:00:00'
        }
        nonce: {
          validateNonce: true
        }
        tokenStore: {
          enabled: false
        }
      }
    }
  }
}

module endpoint 'private-endpoint.bicep' = if (networkName != null && privateSite) {
  params: {
    name: 'pe-${name}'
    location: location
    tags: tags
    networkName: networkName!
    resourceId: site.id
    groupId: 'sites'
  }
}

output hostName string = site.properties.defaultHostName
