// Ticket Engine in one resource group: no keys, no secrets, and alerts. README.md beside this file says what and why.

import { operatorType, settingsType, tagsType } from 'modules/types.bicep'

targetScope = 'resourceGroup'

@description('What the deployment is called; two with different names fit into one resource group.')
@minLength(2)
@maxLength(30)
param name string = 'ticket-engine'

@description('The region; it must offer Flex Consumption.')
param location string = resourceGroup().location

@description('Tags that every resource gets.')
param tags tagsType = {}

@description('Keeps storage, Key Vault and telemetry off the internet: a network with private endpoints.')
param privateNetworking bool = false

@description('Takes the site off the internet too: mailbox owners then need the network to consent.')
param privateSite bool = false

@description('The network\'s addresses, at least a /25; a network that will be joined needs a range of its own.')
param networkAddressPrefix string = '10.70.0.0/24'

@description('Who runs ticket-engine, the command line.')
param operators operatorType[] = []

@description('Grants the roles. Later deployments by an identity that may not grant any turn this off.')
param assignRoles bool = true

@description('The console\'s app registration (infra/entra); empty leaves the console closed.')
param consoleClientId string = ''

@description('Who gets the alerts by mail.')
param alertEmails string[] = []

@description('App settings that differ from infra/service.json.')
param settings settingsType = {}

@description('Memory of an instance.')
param instanceMemoryMB 512 | 2048 | 4096 = 2048

@description('How many instances the app may grow to.')
@minValue(1)
@maxValue(1000)
param maximumInstanceCount int = 40

@description('How storage is replicated.')
param storageSku 'Standard_GRS' | 'Standard_GZRS' | 'Standard_LRS' | 'Standard_ZRS' = 'Standard_LRS'

@description('After so many days raw mail moves to the cool tier; 0 leaves it.')
@minValue(0)
param mailCoolAfterDays int = 90

@description('After so many days raw mail is deleted; 0 keeps it.')
@minValue(0)
param mailDeleteAfterDays int = 0

@description('Days that deleted or overwritten raw mail can be brought back.')
@minValue(1)
@maxValue(365)
param mailRecoverDays int = 30

@description('Days that logs are kept.')
@minValue(30)
@maxValue(730)
param logRetentionDays int = 30

@description('Gigabytes of logs that may come in a day.')
@minValue(1)
param logDailyQuotaGigabytes int = 5

@description('Brings a Key Vault back that was deleted with its resource group; infra/deploy sees when that is needed.')
param recoverVault bool = false

var token = uniqueString(resourceGroup().id, name)
var allTags = union({ application: name }, tags)
var appName = 'func-${name}-${take(token, 8)}'
var appIdentityName = 'id-app-${token}'
var signInIdentityName = 'id-sign-in-${token}'
var workspaceName = 'log-${token}'
var insightsName = 'appi-${token}'
var hostStorageName = 'sthost${token}'
var dataStorageName = 'stdata${token}'
var vaultName = 'kv-${token}'
var networkName = privateNetworking ? 'vnet-${token}' : null

// What the code uses: ticket_engine/settings.py has the same names and defaults.
var service = loadJsonContent('service.json')
var packageContainer = 'app-package'

module identities 'modules/identities.bicep' = {
  params: {
    appIdentityName: appIdentityName
    signInIdentityName: signInIdentityName
    location: location
    tags: allTags
  }
}

module monitoring 'modules/monitoring.bicep' = {
  params: {
    workspaceName: workspaceName
    insightsName: insightsName
    location: location
    tags: allTags
    retentionDays: logRetentionDays
    dailyQuotaGigabytes: logDailyQuotaGigabytes
    privateNetworking: privateNetworking
  }
}

module network 'modules/network.bicep' = if (privateNetworking) {
  params: {
    token: token
    networkName: networkName!
    location: location
    tags: allTags
    addressPrefix: networkAddressPrefix
  }
}

module telemetryLink 'modules/telemetry-link.bicep' = if (privateNetworking) {
  params: {
    token: token
    location: location
    tags: allTags
    workspaceName: workspaceName
    insightsName: insightsName
    networkName: networkName!
  }
  dependsOn: [
    monitoring
    network
  ]
}

module hostStorage 'modules/storage.bicep' = {
  params: {
    name: hostStorageName
    location: location
    tags: allTags
    skuName: storageSku
    queues: concat(service.queues, map(service.queues, queue => '${queue}-poison'))
    containers: [
      packageContainer
    ]
    softDeleteDays: 7
    blobLogs: [
      'StorageDelete'
    ]
    workspaceName: workspaceName
    networkName: networkName
  }
  dependsOn: [
    monitoring
    network
  ]
}

module dataStorage 'modules/storage.bicep' = {
  params: {
    name: dataStorageName
    location: location
    tags: allTags
    skuName: storageSku
    tables: service.tables
    containers: [
      service.mailContainer
    ]
    softDeleteDays: mailRecoverDays
    versioning: true
    coolAfterDays: mailCoolAfterDays
    deleteAfterDays: mailDeleteAfterDays
    blobLogs: [
      'StorageRead'
      'StorageWrite'
      'StorageDelete'
    ]
    workspaceName: workspaceName
    networkName: networkName
  }
  dependsOn: [
    monitoring
    network
  ]
}

module vault 'modules/vault.bicep' = {
  params: {
    name: vaultName
    location: location
    tags: allTags
    recover: recoverVault
    workspaceName: workspaceName
    networkName: networkName
  }
  dependsOn: [
    monitoring
    network
  ]
}

module roles 'modules/roles.bicep' = if (assignRoles) {
  params: {
    appIdentityName: appIdentityName
    operators: operators
    hostStorageName: hostStorageName
    dataStorageName: dataStorageName
    mailContainer: service.mailContainer
    vaultName: vaultName
    insightsName: insightsName
  }
  dependsOn: [
    identities
    monitoring
    hostStorage
    dataStorage
    vault
  ]
}

module alerts 'modules/alerts.bicep' = {
  params: {
    token: token
    location: location
    tags: allTags
    workspaceName: workspaceName
    vaultName: vaultName
    emails: alertEmails
  }
  dependsOn: [
    monitoring
    vault
  ]
}

module app 'modules/app.bicep' = {
  params: {
    name: appName
    token: token
    location: location
    tags: allTags
    runtimeVersion: '3.13'
    instanceMemoryMB: instanceMemoryMB
    maximumInstanceCount: maximumInstanceCount
    appIdentityName: appIdentityName
    signInIdentityName: signInIdentityName
    packageUrl: '${hostStorage.outputs.blobEndpoint}${packageContainer}'
    settings: union(service.settings, settings, {
      // The service's data: ticket_engine/settings.py.
      STORAGE_TABLES_URL: dataStorage.outputs.tableEndpoint
      STORAGE_BLOBS_URL: dataStorage.outputs.blobEndpoint
      KEY_VAULT_URL: vault.outputs.uri
      AZURE_CLIENT_ID: identities.outputs.app.clientId
      AZURE_AUTHORITY_HOST: environment().authentication.loginEndpoint
      // The host's own storage, by the app's identity.
      AzureWebJobsStorage__credential: 'managedidentity'
      AzureWebJobsStorage__clientId: identities.outputs.app.clientId
      AzureWebJobsStorage__blobServiceUri: hostStorage.outputs.blobEndpoint
      AzureWebJobsStorage__queueServiceUri: hostStorage.outputs.queueEndpoint
      AzureWebJobsStorage__tableServiceUri: hostStorage.outputs.tableEndpoint
      // Telemetry, by the app's identity; the connection string names the component and opens nothing.
      APPLICATIONINSIGHTS_CONNECTION_STRING: monitoring.outputs.insightsConnectionString
      APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identities.outputs.app.clientId};Authorization=AAD'
      PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY: 'true'
      // The app's own spans say what matters; one for every request to storage costs more than all else together.
      OTEL_PYTHON_DISABLED_INSTRUMENTATIONS: 'azure_sdk,flask,requests,urllib,urllib3'
      // A new batch is fetched while so many messages are in hand (host.json), so that no thread waits for one.
      PYTHON_THREADPOOL_THREAD_COUNT: '32'
      // The console's sign-in, by an identity of its own, for accounts of this tenant.
      OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID: identities.outputs.signIn.clientId
      WEBSITE_AUTH_AAD_ALLOWED_TENANTS: tenant().tenantId
    })
    networkName: networkName
    privateSite: privateNetworking && privateSite
    consoleClientId: consoleClientId
    anonymousPaths: service.anonymousPaths
  }
  // The app starts when what it needs may be reached, not before.
  dependsOn: [
    network
    roles
    telemetryLink
  ]
}

output functionAppName string = appName
output siteUrl string = 'https://${app.outputs.hostName}'
output redirectUri string = 'https://${app.outputs.hostName}/api/oauth/callback'
output consoleRedirectUri string = 'https://${app.outputs.hostName}/.auth/login/aad/callback'
// The registration that the console's sign-in uses; empty while the console is closed.
output consoleClientId string = consoleClientId
output deploymentName string = name
output appPrincipalId string = identities.outputs.app.principalId
output signInPrincipalId string = identities.outputs.signIn.principalId
output STORAGE_TABLES_URL string = dataStorage.outputs.tableEndpoint
output STORAGE_BLOBS_URL string = dataStorage.outputs.blobEndpoint
output queuesUrl string = hostStorage.outputs.queueEndpoint
output KEY_VAULT_URL string = vault.outputs.uri
output outboundAddress string = privateNetworking ? network!.outputs.outboundAddress : ''
